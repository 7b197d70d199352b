// A job's page, live: the part that changes is fetched again while the job runs and the page is in view.
(() => {
  const place = document.getElementById("job-live");
  if (!place) return;
  const pause = Number(place.dataset.refresh) * 1000;
  const address = new URL(window.location.href);
  address.searchParams.set("part", "live");

  const active = () => place.querySelector("[data-active]")?.dataset.active === "1";

  async function look() {
    if (!document.hidden && !place.contains(document.activeElement)) {
      try {
        const answer = await fetch(address, { credentials: "same-origin" });
        if (answer.ok && !answer.redirected) place.innerHTML = await answer.text();
      } catch {
        // the server is away for a moment; the next look may find it
      }
    }
    if (active()) window.setTimeout(look, pause);
  }
  if (active()) window.setTimeout(look, pause);
})();
