// Loaded before anything is painted: the chosen theme, and the fact that scripts run. The console's own switch
// keeps its choice under the same key, so both follow one another.
(() => {
  const root = document.documentElement;
  root.classList.add("has-js");
  try {
    const choice = localStorage.getItem("theme");
    if (choice === "light" || choice === "dark") root.dataset.theme = choice;
  } catch {
    // Storage is refused: the system's preference decides.
  }
})();
