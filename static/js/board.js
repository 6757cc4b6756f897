// Cards can also be dragged to another column. Without this file, the buttons under "Move" do the same.
(() => {
  let dragged = null;

  const columnOf = (event) => (dragged && event.target.closest?.(".board-column[data-stage]")) || null;

  const unmark = () => {
    for (const column of document.querySelectorAll(".board-column.over")) column.classList.remove("over");
  };

  document.addEventListener("pointerdown", (event) => {
    const card = event.target.closest?.("[data-card]");
    // Draggable only when held by its surface: links, buttons and texts inside keep their own behaviour.
    if (card) card.draggable = event.pointerType === "mouse" && !event.target.closest("a, button, summary, form");
  });

  document.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.("[data-card]") ?? null;
    if (dragged) event.dataTransfer.effectAllowed = "move";
  });

  document.addEventListener("dragover", (event) => {
    const column = columnOf(event);
    unmark();
    if (!column || column.dataset.stage === dragged.dataset.stage) return;
    event.preventDefault();
    column.classList.add("over");
  });

  document.addEventListener("drop", (event) => {
    const column = columnOf(event);
    if (!column || column.dataset.stage === dragged.dataset.stage) return;
    event.preventDefault();
    const query = dragged.querySelector("input[name=query]").value;
    const values = { to: column.dataset.stage, query };
    htmx.ajax("POST", dragged.dataset.move, { source: dragged, target: "#board", swap: "outerHTML", values });
  });

  document.addEventListener("dragend", () => {
    unmark();
    dragged = null;
  });
})();
