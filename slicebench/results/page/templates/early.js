// Before anything is drawn: the chosen theme, and no flash of the sections that the page's script will hide
document.documentElement.classList.add("js");
try {
  document.documentElement.dataset.theme = localStorage.getItem("slicebench-theme") ?? "auto";
} catch {
  document.documentElement.dataset.theme = "auto"; // a page without storage keeps no theme
}
