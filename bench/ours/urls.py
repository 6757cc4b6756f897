from django.urls import path

from aaperture import urls
from bench.bare.urls import hello

urlpatterns = [path("hello/", hello, name="bench_hello"), *urls.urlpatterns]
handler400, handler403, handler404, handler500 = urls.handler400, urls.handler403, urls.handler404, urls.handler500
