// Passkeys: asks the browser for a credential and sends it with its form. Needs allauth's webauthn-json.js before it.
//
// form[data-passkey="create"]   options in #js_data; [name=passwordless] decides whether it may sign in alone
// form[data-passkey="get"]      options in #js_data
// form[data-passkey="sign-in"]  options are fetched from the form's own address when it is sent
(() => {
  const { webauthnJSON } = window;

  const say = (form, name) => {
    const texts = [...form.querySelectorAll("[data-passkey-trouble]")];
    const text = texts.find((each) => each.dataset.passkeyTrouble === name) ?? texts.find((each) => each.dataset.passkeyTrouble === "other");
    for (const each of texts) each.hidden = name === "" || each !== text;
  };

  const creation = (options, alone) => {
    const selection = options.publicKey.authenticatorSelection;
    selection.residentKey = alone ? "required" : "discouraged";
    selection.requireResidentKey = alone;
    if (alone) selection.userVerification = "required";
    return options;
  };

  const ask = async (form) => {
    if (form.dataset.passkey === "sign-in") {
      const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(`the options were answered with ${answer.status}`);
      return webauthnJSON.get((await answer.json()).request_options);
    }
    const options = JSON.parse(document.getElementById("js_data").textContent);
    if (form.dataset.passkey === "get") return webauthnJSON.get(options.request_options);
    const alone = form.querySelector("[name=passwordless]")?.checked ?? false;
    return webauthnJSON.create(creation(options.creation_options, alone));
  };

  const fill = async (form) => {
    if (form.dataset.asking !== undefined) return;
    form.dataset.asking = "";
    say(form, "");
    try {
      if (!webauthnJSON.supported()) say(form, "unsupported");
      else {
        form.elements.credential.value = JSON.stringify(await ask(form));
        form.requestSubmit();
      }
    } catch (error) {
      say(form, error.name);
    } finally {
      delete form.dataset.asking;
    }
  };

  // Captured, so that it comes before app.js takes the form for sent.
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      if (form.dataset.passkey === undefined || form.elements.credential.value) return;
      event.preventDefault();
      fill(form);
    },
    true,
  );
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-passkey]")) form.elements.credential.value = "";
  });
})();
