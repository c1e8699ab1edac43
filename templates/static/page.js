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

// Copy the reference of a failure.
const copy = document.querySelector("[data-copy]");
if (copy && navigator.clipboard) {
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
