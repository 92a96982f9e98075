// What a browser keeps for this page, which may be nothing: where site data is blocked, even to ask for it throws.
export const session = {
  get(key) {
    try {
      return window.sessionStorage.getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      window.sessionStorage.setItem(key, value);
    } catch {
      // a browser that keeps nothing, or a store that is full: it holds for this page alone
    }
  },
  remove(key) {
    try {
      window.sessionStorage.removeItem(key);
    } catch {
      // nothing was kept
    }
  },
};
