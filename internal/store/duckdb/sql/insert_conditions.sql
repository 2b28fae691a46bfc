INSERT INTO conditions SELECT * FROM new_conditions
