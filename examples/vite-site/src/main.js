const shown = document.querySelector('#means');

async function refresh() {
  const answer = await fetch('/means');
  shown.textContent = answer.ok ? JSON.stringify(await answer.json()) : 'no collector';
}

setInterval(refresh, 5000);
refresh();
