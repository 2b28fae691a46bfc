DELETE FROM totals WHERE bucket < $1
