"""Where a system can rest: fixed points, slow points, their stability and modes."""
