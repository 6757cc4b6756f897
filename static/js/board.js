// The board with a mouse: cards can be dragged to another column. Everything also works by each card's menu.
(() => {
  let dragged = null;
  let asideOpen = false;

  const prepare = () => {
    for (const card of document.querySelectorAll(".board-card")) card.draggable = true;
  };

  const columnOf = (event) => event.target.closest?.(".board-column");

  document.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.(".board-card");
    if (!dragged) return;
    dragged.classList.add("dragged");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.querySelector("h3").textContent.trim());
  });

  document.addEventListener("dragover", (event) => {
    const column = columnOf(event);
    for (const other of document.querySelectorAll(".board-column.over")) if (other !== column) other.classList.remove("over");
    if (!dragged || !column || column.contains(dragged)) return;
    event.preventDefault();
    column.classList.add("over");
  });

  document.addEventListener("drop", (event) => {
    const column = columnOf(event);
    if (!dragged || !column || column.contains(dragged)) return;
    event.preventDefault();
    dragged.querySelector(`.card-move button[value="${column.dataset.stage}"]`)?.click();
  });

  document.addEventListener("dragend", () => {
    dragged?.classList.remove("dragged");
    dragged = null;
    for (const column of document.querySelectorAll(".board-column.over")) column.classList.remove("over");
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "board") asideOpen = document.getElementById("aside-stages")?.open ?? false;
  });

  // Who moved a card by keyboard goes on from where it is now.
  document.addEventListener("htmx:afterSettle", () => {
    const aside = document.getElementById("aside-stages");
    if (aside && asideOpen) aside.open = true;
    prepare();
    const moved = document.querySelector("[data-moved]");
    if (!moved) return;
    const closed = moved.closest("details:not([open])");
    (closed ? closed.querySelector("summary") : moved.querySelector("h3 a")).focus({ preventScroll: Boolean(closed) });
  });

  document.addEventListener("DOMContentLoaded", prepare);
})();
