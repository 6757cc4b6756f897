#!/bin/sh
# Makes every secret that compose.yaml mounts, in deploy/secrets, and never replaces one that exists.
# With a host name, also a self-signed certificate to begin with; put your real one into deploy/certificates.
#
#     sh deploy/make_secrets.sh [studio.example.com]
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets certificates
cd secrets

secret() { # name, command that prints it
    [ -s "$1" ] || { "$2" >"$1" && echo "made secrets/$1"; }
}
password() { openssl rand -hex 32; }
key_ring() { echo "$(date +%Y%m%d):$(openssl rand -base64 32)"; }
database_url() { address aaperture_app "$(cat application_password)"; }
migration_database_url() { address aaperture_owner "$(cat owner_password)"; }
address() {
    echo "postgresql://$1:$2@postgres:5432/aaperture?sslmode=verify-full&sslrootcert=/run/secrets/internal_ca"
}
redis_url() {
    echo "rediss://:$(cat valkey_password)@valkey:6379/0?ssl_cert_reqs=required&ssl_ca_certs=/run/secrets/internal_ca"
}
valkey_conf() {
    cat <<CONF
port 0
tls-port 6379
tls-cert-file /run/secrets/valkey_cert
tls-key-file /run/secrets/valkey_key
tls-ca-cert-file /run/secrets/internal_ca
tls-auth-clients no
tls-protocols "TLSv1.2 TLSv1.3"
requirepass $(cat valkey_password)
save ""
appendonly no
maxmemory 256mb
maxmemory-policy noeviction
dir /data
CONF
}
certificate() { # name of the service: a certificate of our own little authority
    [ -s "$1.crt" ] && return
    openssl req -new -newkey rsa:3072 -nodes -keyout "$1.key" -subj "/CN=$1" -out "$1.csr" 2>/dev/null
    printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$1" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA internal_ca.crt -CAkey internal_ca.key -CAcreateserial -days 3650 \
        -extfile "$1.ext" -out "$1.crt" 2>/dev/null
    rm -f "$1.csr" "$1.ext"
    echo "made secrets/$1.crt"
}

secret secret_key password
secret encryption_keys key_ring
secret backup_key password
for name in postgres_password owner_password application_password valkey_password; do secret "$name" password; done
secret database_url database_url
secret migration_database_url migration_database_url
secret redis_url redis_url
secret valkey.conf valkey_conf
if [ ! -s internal_ca.crt ]; then
    openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -keyout internal_ca.key -subj "/CN=Aaperture internal" \
        -addext keyUsage=critical,keyCertSign,cRLSign -out internal_ca.crt 2>/dev/null
    echo "made secrets/internal_ca.crt"
fi
certificate postgres
certificate valkey
# Readable inside a container, whatever its user; on the host the folder keeps everybody else out.
chmod 444 ./*
chmod 400 internal_ca.key

if [ -n "${1:-}" ] && [ ! -s ../certificates/fullchain.pem ]; then
    openssl req -x509 -newkey rsa:3072 -nodes -days 90 -keyout ../certificates/privkey.pem -subj "/CN=$1" \
        -addext "subjectAltName=DNS:$1" -out ../certificates/fullchain.pem 2>/dev/null
    chmod 755 ../certificates
    chmod 444 ../certificates/*.pem
    echo "made a self-signed certificate for $1 in deploy/certificates"
fi
