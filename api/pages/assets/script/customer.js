// The page of a customer: what a form does without this, it does a little quicker with it.
{
  // What is said while one looks appears by itself. Whoever has gone away from the page for long is not counted as being there.
  const often = 4000, long = 15 * 60 * 1000;
  let here = Date.now();
  for (const sign of ["pointermove", "keydown", "scroll", "focus"]) addEventListener(sign, () => { here = Date.now(); }, { passive: true, capture: true });
  const look = () => {
    if (!document.hidden && Date.now() - here < long) document.getElementById("next")?.dispatchEvent(new CustomEvent("look"));
  };
  setInterval(look, often);
  document.addEventListener("visibilitychange", () => { here = Date.now(); look(); });

  // The same message is not shown twice, whichever way it came; what is being written stays, and whoever was somewhere stays there, while the
  // page around is renewed.
  const writing = () => document.querySelector(".reply form[action] textarea:not([readonly])");
  const before = new WeakMap(); // by what is swapped: two may be under way
  document.addEventListener("htmx:before:swap", (event) => {
    if (!event.detail?.ctx) return;
    const text = writing(), ids = [];
    const draft = text?.value && !text.form.contains(event.detail.ctx.sourceElement) ? { action: text.form.action, value: text.value } : null;
    for (let at = document.activeElement; at && at !== document.body; at = at.parentElement) if (at.id) ids.push(at.id);
    before.set(event.detail.ctx, { draft, ids });
  });
  document.addEventListener("htmx:after:swap", (event) => {
    const { draft, ids } = before.get(event.detail?.ctx) ?? { ids: [] };
    const seen = new Set();
    for (const item of document.querySelectorAll(".flow [id^=i-]")) seen.has(item.id) ? item.remove() : seen.add(item.id);
    const text = writing();
    if (draft && text && !text.value && text.form.action === draft.action) text.value = draft.value;
    if (ids[0] === "reply-send") return text?.focus({ preventScroll: true }); // whoever has sent something writes on
    const at = document.activeElement;
    if (at && at !== document.body && at.id !== "main") return; // #main has it when another swap ended in between
    for (const id of ids) {
      const place = document.getElementById(id);
      const to = place && (place.matches("a, button, input, textarea, select") ? place : place.querySelector("a.edit, button, a, input"));
      if (!to || place.id === "main" || !place.closest("#main")) continue;
      to.focus({ preventScroll: true });
      return;
    }
  });

  // keys: Escape leaves a field as it was, Ctrl and Enter send.
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const edit = event.target.closest("[data-edit]");
    if (edit && event.key === "Escape") edit.querySelector("[data-cancel]").click();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("textarea")) event.target.form?.requestSubmit();
  });

  // what is typed narrows what there is to choose
  document.addEventListener("input", (event) => {
    const choices = event.target.dataset?.narrows && document.querySelector(event.target.dataset.narrows);
    if (!choices) return;
    const typed = event.target.value.normalize("NFKC").trim().toLowerCase();
    for (const choice of choices.children) choice.hidden = !choice.textContent.normalize("NFKC").toLowerCase().includes(typed);
  });
}
