// Classic and blocking, in head: the chosen theme applies before the first paint. Without a choice the system's holds.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is off: the system's theme holds.
}
