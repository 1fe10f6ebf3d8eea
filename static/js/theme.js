// Classic and blocking, in head: the chosen theme, and that keys are off, apply before the first paint.
// Without a choice the system's theme holds.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  if (localStorage.getItem("keys") === "off") document.documentElement.dataset.keys = "off";
} catch {
  // Storage is off: the system's theme holds.
}
