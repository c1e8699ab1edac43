// Comforts of the console, which does without them when scripts are off.
"use strict";

// Tick all boxes of a table, or none if all are ticked.
for (const button of document.querySelectorAll("[data-tick]")) {
  const boxes = [...button.form.elements].filter((box) => box.name === button.dataset.tick && !box.disabled);
  button.parentElement.hidden = boxes.length < 2;
  button.addEventListener("click", () => {
    const on = boxes.some((box) => !box.checked);
    for (const box of boxes) box.checked = on;
  });
}

// Ask about what somebody types in a field, with the check that sending the form makes.
// Without a script the form's own button asks.

const pause = 400; // milliseconds without a key

for (const field of document.querySelectorAll("[data-check]")) {
  const list = document.getElementById(field.dataset.check);
  let timer = 0;
  let asked = 0;

  const ask = async () => {
    const mine = ++asked;
    const form = new URLSearchParams(new FormData(field.form));
    form.set("check", field.name);
    let findings = [];
    try {
      const answer = await fetch(field.form.getAttribute("action"), { method: "POST", body: form, redirect: "error", headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      findings = await answer.json();
    } catch {
      return; // sending the form says what is wrong
    }
    if (mine !== asked) return; // somebody has typed on
    list.replaceChildren(...findings.map(({ tone, said, english }) => {
      const item = document.createElement("li");
      item.className = tone;
      item.textContent = said;
      if (english) { // what the catalogs have no words for
        const detail = document.createElement("span");
        detail.lang = "en";
        detail.textContent = `(${english})`;
        item.append(" ", detail);
      }
      return item;
    }));
    field.setAttribute("aria-invalid", String(findings.some(({ tone }) => tone === "bad")));
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, pause);
  });
}
