// Cards can also be dragged to another column. Without this file, the buttons under "Move" do the same.
(() => {
  let dragged = null;
  let asideOpen = false;

  const columnOf = (event) => (dragged && event.target.closest?.(".board-column")) || null;

  const mark = (column) => {
    for (const other of document.querySelectorAll(".board-column.over")) if (other !== column) other.classList.remove("over");
    column?.classList.add("over");
  };

  const prepare = () => {
    for (const card of document.querySelectorAll(".board-card")) card.draggable = true;
  };

  document.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.(".board-card") ?? null;
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.querySelector("h3").textContent.trim());
  });

  document.addEventListener("dragover", (event) => {
    const column = columnOf(event);
    const elsewhere = column && !column.contains(dragged) ? column : null;
    mark(elsewhere);
    if (elsewhere) event.preventDefault();
  });

  document.addEventListener("drop", (event) => {
    const column = columnOf(event);
    if (!column || column.contains(dragged)) return;
    event.preventDefault();
    dragged.querySelector(`.card-move button[value="${column.dataset.stage}"]`)?.click();
  });

  document.addEventListener("dragend", () => {
    mark(null);
    dragged = null;
  });

  document.addEventListener("htmx:beforeSwap", () => {
    asideOpen = document.querySelector(".board-aside")?.open ?? false;
  });

  // Whoever moved a card with the keyboard goes on from where the card is now.
  document.addEventListener("htmx:afterSettle", () => {
    const aside = document.querySelector(".board-aside");
    if (aside && asideOpen) aside.open = true;
    prepare();
    const moved = document.querySelector("[data-moved]");
    if (!moved) return;
    const closed = moved.closest("details:not([open])");
    (closed?.querySelector("summary") ?? moved.querySelector("h3 a")).focus({ preventScroll: true });
    moved.removeAttribute("data-moved");
  });

  document.addEventListener("DOMContentLoaded", prepare);
})();
