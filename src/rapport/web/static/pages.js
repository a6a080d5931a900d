"use strict";

// All of this is comfort: without it, links, forms and buttons do the same, a page at a time.

function keepZone() {
  // The server shows times and groups days by the zone that this cookie names; the first page may be a page too early.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const kept = () => document.cookie.split("; ").includes(`rapport_zone=${zone}`);
  if (!zone || kept()) return;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `rapport_zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
  const shown = document.documentElement.dataset.zone;
  if (kept() && shown && shown !== zone) location.reload();
}

function isTyping(element) {
  return element.matches("input, textarea, select, [contenteditable]");
}

function keyboard(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = document.getElementById("q");
  const active = document.activeElement;
  if (event.key === "/" && (!isTyping(active) || (active === field && !field.value))) {
    event.preventDefault();
    if (field) field.select();
    else location.assign("/");
    return;
  }
  const found = document.getElementById("found");
  if (!field || !found) return;
  const links = [...found.querySelectorAll("a")];
  const at = links.indexOf(active);
  if (event.key === "ArrowDown" && links.length && (at >= 0 || active === field)) {
    links[Math.min(at + 1, links.length - 1)].focus();
  } else if (event.key === "ArrowUp" && at >= 0) {
    (at === 0 ? field : links[at - 1]).focus();
  } else if (event.key === "Enter" && active === field && links.length && isOf(found, field.value)) {
    links[0].click();
  } else return;
  event.preventDefault();
}

function isOf(found, text) {
  // Whether what is shown was found for what the field holds now: who types faster is not led astray.
  const shown = found.querySelector("[data-found]");
  return shown && shown.dataset.found === text.trim();
}

async function copy(button) {
  const from = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(from.textContent.trim());
    button.textContent = "Copied";
  } catch {
    // Browsers let only safe origins write to the clipboard: it is at least selected.
    getSelection().selectAllChildren(from);
  }
}

keepZone();
document.addEventListener("keydown", keyboard);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});
// A second click would submit a form again, and replace the answer to the first.
document.addEventListener("submit", (event) => {
  if (event.target.method === "post") setTimeout(() => { for (const button of event.target.querySelectorAll("button")) button.disabled = true; });
});
// Browsers may restore a page with its buttons as they were.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[method=post] button")) button.disabled = false;
});
for (const name of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(name, (event) => {
    const told = document.createElement("p");
    told.className = "problem";
    told.setAttribute("role", "alert");
    told.textContent = "The server can't be reached, or has a problem. Try it again in a while.";
    const found = document.getElementById("found");
    if (found) found.replaceChildren(told);
    else event.detail.elt.after(told);
  });
}
document.addEventListener("htmx:configRequest", (event) => {
  // An address without what was left empty.
  const asked = event.detail.formData;
  if (event.detail.elt.id === "filter") for (const name of ["after", "before"]) if (!asked.get(name)) asked.delete(name);
});
