// What the console's pages do besides htmx: open and close the dialog, and count what is chosen. Without it, and without htmx,
// every link and form works as it stands.
(() => {
  'use strict'
  const dialog = document.getElementById('dialog')
  const content = document.getElementById('dialog-content')
  let opener = null

  document.addEventListener('click', (event) => {
    if (!(event.target instanceof Element)) return
    const opens = event.target.closest('[data-dialog]')
    if (opens) opener = opens
    const closes = event.target.closest('[data-close]')
    if (!closes || !dialog || !dialog.contains(closes)) return
    event.preventDefault()
    dialog.close()
    if (closes.hasAttribute('data-reload')) window.location.reload()
  })

  document.addEventListener('htmx:afterSwap', (event) => {
    if (!dialog || !dialog.contains(event.detail.target)) return
    if (!dialog.open) dialog.showModal()
    if (event.detail.target !== content) return
    dialog.scrollTop = 0
    const title = content.querySelector('h1')
    if (title) {
      title.tabIndex = -1
      title.focus()
    }
  })

  // What has been ended looks different once the dialog is gone.
  if (dialog) {
    dialog.addEventListener('close', () => {
      const ended = content.querySelector('.receipt')
      content.replaceChildren()
      if (ended) window.location.reload()
      else if (opener instanceof HTMLElement) opener.focus()
    })
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog) dialog.close()
    })
  }

  for (const form of document.querySelectorAll('form[data-bulk]')) {
    const words = form.querySelector('[data-count]')
    const boxes = [...form.querySelectorAll('input[type=checkbox][name=user]')]
    const buttons = [...form.querySelectorAll('button[name=action]')]
    const head = form.querySelector('th.pick')
    if (!words || boxes.length === 0) continue
    const all = document.createElement('input')
    all.type = 'checkbox'
    all.setAttribute('aria-label', 'Choose all on this page')
    if (head) head.replaceChildren(all)
    const count = () => {
      const chosen = boxes.filter((box) => box.checked).length
      words.textContent = chosen === 0 ? 'Choose users to end their access in one job.' : chosen === 1 ? 'With the one chosen:' : `With the ${chosen} chosen:`
      for (const button of buttons) button.disabled = chosen === 0
      all.checked = chosen === boxes.length
      all.indeterminate = chosen > 0 && chosen < boxes.length
    }
    all.addEventListener('change', () => {
      for (const box of boxes) box.checked = all.checked
      count()
    })
    form.addEventListener('change', count)
    window.addEventListener('pageshow', count)
    count()
  }

  // One menu at a time, and none once something else is meant.
  document.addEventListener('click', (event) => {
    for (const menu of document.querySelectorAll('details.menu[open]')) {
      if (!(event.target instanceof Node) || !menu.contains(event.target) || event.target.closest('a')) menu.open = false
    }
  })
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return
    for (const menu of document.querySelectorAll('details.menu[open]')) {
      menu.open = false
      menu.querySelector('summary').focus()
    }
  })

  // On a wide screen the navigation is always there.
  const wide = window.matchMedia('(min-width: 62rem)')
  const places = document.querySelector('details.places')
  const show = () => {
    if (places) places.open = wide.matches
  }
  wide.addEventListener('change', show)
  show()
})()
