// The list of customers: a click anywhere in a row opens it, and rows are selected in one go.
{
  const picks = () => [...document.querySelectorAll("tbody .pick input")];
  const told = () => {
    const all = document.querySelector("[data-pick-all]"), boxes = picks(), chosen = boxes.filter((box) => box.checked).length;
    if (!all) return;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  let last; // the row that was selected last, where a selection with Shift begins

  document.addEventListener("click", (event) => {
    const row = event.target.closest?.(".list tbody tr");
    if (event.target.closest?.("[data-unpick]")) {
      for (const box of picks()) box.checked = false;
      told();
      document.querySelector("[data-pick-all]")?.focus();
    } else if (row && event.target.matches(".pick input")) {
      const boxes = picks(), from = boxes.indexOf(last), to = boxes.indexOf(event.target);
      if (event.shiftKey && from >= 0) for (const box of boxes.slice(Math.min(from, to), Math.max(from, to))) box.checked = event.target.checked;
      last = event.target;
      told();
    } else if (row && event.target.matches(".pick")) {
      event.target.querySelector("input").click();
    } else if (row && !event.target.closest("a, button, input, label") && !getSelection().toString()) {
      row.querySelector(".lead a")?.click();
    }
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-pick-all]")) return;
    for (const box of picks()) box.checked = event.target.checked;
  });

  // IDs get a button that copies them, boxes a label with the name, and whatever does not fit a title, when somebody comes near.
  const near = (event) => {
    const row = event.target.closest?.(".list tbody tr"), id = row?.querySelector("td > code:last-child"), copy = document.getElementById("copy");
    if (id && copy) id.after(copy.content.cloneNode(true));
    const box = row?.querySelector(".pick input:not([data-named])");
    if (box) box.ariaLabel += ` ${row.querySelector(".lead a").textContent}`, box.dataset.named = "";
    const cut = event.target.closest?.(":is(.cut, .list .lead a, .list td > code, .list td.extra):not([title])");
    if (cut && cut.scrollWidth > cut.clientWidth) cut.title = cut.textContent;
  };
  document.addEventListener("pointerover", near);
  document.addEventListener("focusin", near);

  // The tab that is shown is in sight, however many there are.
  const inSight = () => document.querySelector(".list .tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  document.addEventListener("htmx:after:swap", inSight);
  inSight();
}
