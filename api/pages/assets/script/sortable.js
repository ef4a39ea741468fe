// <sortable-list>: the rows of its list are put in order by dragging their grip, or by the arrow keys while a grip has the focus. What the form sends
// is the order of the rows. With data-send it is sent by itself; Escape before that puts everything back.
{
  customElements.define("sortable-list", class extends HTMLElement {
    connectedCallback() {
      if (this.said) return;
      this.said = Object.assign(document.createElement("p"), { className: "unseen", role: "status" });
      this.append(this.said);
      for (const button of this.querySelectorAll("li:has([data-grip]) .moves button")) button.tabIndex = -1; // the arrow keys do the same
      this.addEventListener("pointerdown", (event) => this.hold(event));
      this.addEventListener("keydown", (event) => this.key(event));
      this.addEventListener("focusout", () => this.send(0));
      this.closest("form")?.addEventListener("htmx:finally:request", () => { this.sent = false; }); // if nothing came of it, another move sends it again
    }
    disconnectedCallback() { clearTimeout(this.waiting); }

    get rows() { return [...this.querySelector("ol").children]; }

    // move puts a row before or behind the one beside it. It is the other one that moves, so that focus and pointer stay with the row.
    move(row, by) {
      const beside = by < 0 ? row.previousElementSibling : row.nextElementSibling;
      if (!beside) return false;
      this.was ??= this.rows;
      by < 0 ? row.after(beside) : row.before(beside);
      return true;
    }

    say(row) {
      const filled = { name: row.dataset.name, n: this.rows.indexOf(row) + 1, all: this.rows.length };
      this.said.textContent = this.dataset.said.replace(/\{(\w+)\}/g, (_, word) => filled[word]);
    }

    hold(event) {
      const grip = event.target.closest("[data-grip]"), row = grip?.closest("li");
      if (!row || event.button || this.sent) return;
      event.preventDefault();
      grip.focus();
      grip.setPointerCapture(event.pointerId);
      row.dataset.held = "";
      const follow = (move) => {
        for (let moved = true; moved;) {
          moved = false;
          const above = row.previousElementSibling?.getBoundingClientRect(), below = row.nextElementSibling?.getBoundingClientRect();
          if (above && move.clientY < above.top + above.height / 2) moved = this.move(row, -1);
          else if (below && move.clientY > below.top + below.height / 2) moved = this.move(row, 1);
        }
        row.scrollIntoView({ block: "nearest" });
      };
      const end = () => {
        delete row.dataset.held;
        for (const [type, listener] of [["pointermove", follow], ["pointerup", end], ["pointercancel", end]]) grip.removeEventListener(type, listener);
        if (this.was) this.say(row);
        this.send(0);
      };
      for (const [type, listener] of [["pointermove", follow], ["pointerup", end], ["pointercancel", end]]) grip.addEventListener(type, listener);
    }

    key(event) {
      const row = event.target.closest("[data-grip]")?.closest("li");
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!row || this.sent || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape" && this.was) this.restore(row);
      else if (event.key === "Enter") this.send(0);
      else if (by) {
        if (this.move(row, by)) this.say(row);
        row.scrollIntoView({ block: "nearest" });
        this.send(900);
      } else return;
      event.preventDefault();
    }

    restore(row) {
      clearTimeout(this.waiting);
      const list = this.querySelector("ol"), at = document.activeElement;
      for (const one of this.was) list.append(one);
      this.was = null;
      at.focus();
      this.say(row);
    }

    // send sends the form in a while, if the order is another one.
    send(wait) {
      clearTimeout(this.waiting);
      if (!("send" in this.dataset) || !this.was || this.querySelector("[data-held]")) return;
      this.waiting = setTimeout(() => {
        if (!this.was || !this.isConnected) return;
        if (this.rows.every((row, i) => row === this.was[i])) { this.was = null; return; }
        this.sent = true;
        this.closest("form").requestSubmit();
      }, wait);
    }
  });
}
