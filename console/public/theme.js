// Runs before the first paint, so that a theme that was chosen does not flash; the policy forbids scripts in the page.
try {
  const theme = localStorage.getItem("fastgw.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage is forbidden here: the system's theme holds
}
