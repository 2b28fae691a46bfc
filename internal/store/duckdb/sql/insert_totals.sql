INSERT INTO totals SELECT * FROM new_totals
