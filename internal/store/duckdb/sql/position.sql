SELECT value::VARCHAR FROM meta WHERE name = 'journal_position'
