{
  // renew makes a region of this page anew, as the server shows it now. The focus stays where it was, or comes to the region.
  const renew = async (region) => {
    const answer = await fetch(location.href, { headers: { "HX-Request": "true" } }).catch(() => null);
    if (!answer || answer.status >= 500) return document.getElementById(region) && setTimeout(() => renew(region), 3000); // it is back soon
    const elsewhere = answer.headers.get("HX-Redirect"); // the sign-in has ended
    if (elsewhere) return location.assign(elsewhere);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const old = document.getElementById(region);
    const fresh = page.getElementById(region);
    if (!old || !answer.ok || !fresh) return old && location.reload();
    const within = old.contains(document.activeElement) && document.activeElement.id;
    const lost = old.contains(document.activeElement);
    old.replaceWith(fresh);
    htmx.process(fresh);
    if (within || lost) (document.getElementById(within || region) ?? fresh).focus({ preventScroll: true });
    const told = document.getElementById(`${region}-told`); // stays, so that readers are told
    if (told) told.textContent = fresh.querySelector("[data-told]")?.textContent ?? "";
  };

  // job-progress follows a job by its server-sent events.
  customElements.define("job-progress", class extends HTMLElement {
    connectedCallback() {
      this.wait = 1000;
      if (this.getAttribute("src")) this.follow();
    }
    disconnectedCallback() {
      this.events?.close();
      clearTimeout(this.timer);
    }
    follow() {
      const events = this.events = new EventSource(this.getAttribute("src"));
      const lost = this.querySelector(".lost"), began = Date.now();
      events.addEventListener("progress", (event) => {
        this.wait = 1000;
        lost.hidden = true;
        this.show(JSON.parse(event.data));
      });
      events.addEventListener("end", () => {
        events.close(); // should the page lag behind, it is not asked for again and again
        this.timer = setTimeout(() => renew(this.getAttribute("region")), Date.now() - began < 500 ? 500 : 0);
      });
      events.addEventListener("error", () => { // the server is gone for a while, or says no: go on asking, ever more rarely
        events.close();
        if (!this.isConnected) return;
        lost.hidden = this.wait === 1000; // once is nothing: the server ends long connections
        this.timer = setTimeout(() => this.follow(), this.wait);
        this.wait = Math.min(this.wait * 2, 30000);
      });
    }
    show(told) {
      const job = told.import ?? told.export ?? told.bulk;
      const bar = this.querySelector("progress");
      const { done, total } = job.progress;
      if (total > 0 && !bar.hasAttribute("max")) return renew(this.getAttribute("region")); // now it is known how much there is
      if (total > 0) [bar.max, bar.value] = [total, done];
      const region = document.getElementById(this.getAttribute("region"));
      for (const element of (this.closest("tr") ?? region).querySelectorAll("[data-live]")) {
        const number = element.dataset.live.split(".").reduce((value, name) => value?.[name], job);
        if (Number.isFinite(number)) element.textContent = number.toLocaleString("en-US");
      }
    }
  });

  // What is downloaded is recorded: a moment later the page shows that.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-renew]");
    if (link) setTimeout(() => renew(link.dataset.renew), 1500);
  });
}
