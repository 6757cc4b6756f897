// Parts of a page that come anew by themselves, every few seconds, and whoever is at work in one of them.
(() => {
  let pressed = null; // what the pointer holds down
  let left = ""; // what had the focus in a part that is being replaced

  // The same thing in the part that comes: it leads to the same place, sends the same, or is named by the same heading.
  const signOf = (element) => {
    const named = ["href", "name", "value", "aria-labelledby"].map((name) => element.getAttribute(name));
    return [element.tagName, element.form?.getAttribute("action"), ...named].join();
  };

  document.addEventListener("pointerdown", (event) => {
    pressed = event.button === 0 ? event.target : null;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, () => {
      pressed = null;
    });
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { elt, target } = event.detail;
    const focused = document.activeElement;
    left = "";
    // A click is of one element from beginning to end. This round is left out; the next one comes.
    if (pressed && target?.contains(pressed) && elt.getAttribute("hx-trigger")?.startsWith("every")) event.detail.shouldSwap = false;
    else if (target?.contains(focused) && !focused.id) left = signOf(focused); // one with an id htmx finds again itself
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    if (!left || document.activeElement !== document.body) return;
    const others = [...event.target.querySelectorAll("a[href], button, input, select, summary, [tabindex]")];
    const same = others.find((element) => signOf(element) === left);
    if (!same) return;
    same.focus({ preventScroll: true });
    left = "";
  });
})();
