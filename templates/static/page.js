// Comforts that the pages do without when scripts are off.
"use strict";

// Show the password. It is hidden again before it is sent, so that browsers do
// not keep it among ordinary values.
for (const reveal of document.querySelectorAll(".reveal button")) {
  const field = document.getElementById(reveal.getAttribute("aria-controls"));
  const show = (visible) => {
    field.type = visible ? "text" : "password";
    reveal.setAttribute("aria-pressed", String(visible));
  };
  reveal.hidden = false;
  reveal.addEventListener("click", () => {
    show(field.type === "password");
    field.focus();
  });
  field.form.addEventListener("submit", () => show(false));
}

// Copy the reference of a failure, or a setting.
if (navigator.clipboard) {
  for (const copy of document.querySelectorAll("[data-copy]")) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      const said = copy.nextElementSibling;
      try {
        await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
        said.textContent = said.dataset.copied;
      } catch {
        said.textContent = "";
      }
    });
  }
}

// The key "/" begins a search.
const search = document.getElementById("q");
if (search) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input, select, textarea")) {
      event.preventDefault();
      search.focus();
    }
  });
}
