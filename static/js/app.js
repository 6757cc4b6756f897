// The small behaviours of our pages. Everything works by attributes, so fragments swapped in by htmx need no set-up.
(() => {
  const root = document.documentElement;

  const savedTheme = () => {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch {
      return "auto";
    }
  };

  const showTheme = () => {
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === savedTheme()));
    }
  };

  const chooseTheme = (choice) => {
    if (choice === "auto") delete root.dataset.theme;
    else root.dataset.theme = choice;
    try {
      localStorage.setItem("theme", choice);
    } catch {
      // The choice lasts for this page only.
    }
    showTheme();
  };

  const toggleNavigation = (button) => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    document.getElementById(button.getAttribute("aria-controls")).classList.toggle("open", open);
  };

  const togglePassword = (button) => {
    const input = button.closest(".password").querySelector("input");
    const shown = input.type === "password";
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
    input.focus();
  };

  const copy = async (button) => {
    const text = document.getElementById(button.dataset.copy).textContent;
    await navigator.clipboard.writeText(text.trim().replace(/\s*\n\s*/g, "\n"));
    button.dataset.copied = "";
  };

  const actions = {
    "[data-theme-choice]": (element) => chooseTheme(element.dataset.themeChoice),
    "[data-nav-toggle]": toggleNavigation,
    "[data-password-toggle]": togglePassword,
    "[data-dismiss]": (element) => element.closest("[data-dismissable]")?.remove(),
    "[data-copy]": copy,
    "[data-print]": () => window.print(),
  };

  document.addEventListener("click", (event) => {
    for (const [selector, act] of Object.entries(actions)) {
      const element = event.target.closest(selector);
      if (element) act(element);
    }
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = event.target.closest?.("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
      return;
    }
    const toggle = document.querySelector("[data-nav-toggle][aria-expanded=true]");
    if (toggle) {
      toggleNavigation(toggle);
      toggle.focus();
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-autosubmit]")) event.target.form.requestSubmit();
    if (event.target.matches("[data-check-all]")) {
      for (const box of event.target.form.elements[event.target.dataset.checkAll]) box.checked = event.target.checked;
    }
  });

  // A second click on a form that is being sent does nothing; time, or coming back to the page, frees it again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented) return;
    if (form.dataset.sent !== undefined) event.preventDefault();
    else if (form.method === "post") {
      form.dataset.sent = "";
      setTimeout(() => delete form.dataset.sent, 4000);
    }
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  // A request of htmx that fails changes nothing on the page; without this the person would not know why.
  const sayTrouble = (name) => {
    const template = document.querySelector(`template[data-trouble="${name}"]`) ?? document.querySelector('template[data-trouble="other"]');
    document.getElementById("messages")?.replaceChildren(...(template ? [template.content.cloneNode(true)] : []));
  };
  document.addEventListener("htmx:responseError", (event) => sayTrouble(event.detail.xhr.status));
  document.addEventListener("htmx:sendError", () => sayTrouble("offline"));

  document.addEventListener("DOMContentLoaded", () => {
    showTheme();
    for (const element of document.querySelectorAll("[data-needs-script]")) element.hidden = false;
    // On a phone the tabs do not all fit: the one of this page is among those to be seen.
    document.querySelector(".tabs [aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });
    document.querySelector(".form-errors")?.focus();
  });
})();
