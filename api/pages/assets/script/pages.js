// What HTML cannot do by itself. Everything here only makes quicker what works without it.
{
  const find = (selector, within = document) => within.querySelector(selector);

  // dialogs: what the server sends into #dialogs is opened over the page, and gone when it is closed.
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail?.ctx?.sourceElement?.matches("[data-refreshes]")) return; // by itself: nobody went anywhere
    const dialog = find("#dialogs dialog");
    if (dialog && !dialog.open) {
      dialog.showModal();
      dialog.addEventListener("close", () => dialog.remove());
    } else if (!dialog && (document.activeElement === document.body || !document.activeElement)) {
      find("#main")?.focus({ preventScroll: true }); // a reader goes on at the new page
    }
    forget();
  });
  document.addEventListener("click", (event) => {
    const close = event.target.closest("#dialogs [data-close]");
    if (!close) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    close.closest("dialog").close();
  }, true);

  // command and commandfor, for browsers that do not know them yet.
  if (!("commandForElement" in HTMLButtonElement.prototype)) {
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button[commandfor]");
      const target = button && document.getElementById(button.getAttribute("commandfor"));
      if (target && button.getAttribute("command") === "show-modal") target.showModal();
      if (target && button.getAttribute("command") === "close") target.close();
    });
  }

  // What is folded stays folded, on other pages too. A click comes before what it does.
  document.addEventListener("click", (event) => {
    const kept = event.target.closest("[data-keep] > summary")?.parentElement;
    if (kept) fetch("/preferences", { method: "POST", body: new URLSearchParams({ [kept.dataset.keep]: kept.open ? "folded" : "open" }), redirect: "manual", keepalive: true }).catch(() => {});
  });

  // copying
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy || button.previousElementSibling.textContent);
      const use = find("use", button), before = use.getAttribute("href");
      button.dataset.copied = "";
      use.setAttribute("href", before.replace(/#.*/, "#check"));
      setTimeout(() => { delete button.dataset.copied; use.setAttribute("href", before); }, 1500);
    } catch { /* not allowed: the text can be selected */ }
  });

  // toasts go when they are dismissed, or after a while that nobody is at them.
  document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.parentElement.remove());
  const forget = () => {
    for (const toast of document.querySelectorAll(".toasts > :not([data-counted])")) {
      toast.dataset.counted = "";
      const wait = () => setTimeout(() => toast.matches(":hover, :focus-within") ? wait() : toast.remove(), 10000);
      wait();
    }
  };
  forget();

  // keys
  const typing = (element) => element.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const reach = (row) => find(".lead a, .lead button", row) ?? find(".pick input", row) ?? find("a, button, input", row);
  const step = (by) => {
    const rows = [...document.querySelectorAll("main tbody tr")];
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement.closest("tbody tr"));
    const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
    reach(next)?.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const keys = {
    "/": () => { const box = find("[data-search]"); box?.focus(); box?.select(); return box; },
    j: () => step(1),
    k: () => step(-1),
    x: () => find(".pick input", document.activeElement.closest("tbody tr") ?? document.createElement("tr"))?.click(),
    "?": () => find("#keys")?.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target) || find("dialog:modal")) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
