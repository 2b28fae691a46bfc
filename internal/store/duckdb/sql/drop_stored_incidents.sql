DELETE FROM incidents i USING new_incidents n WHERE i.id = n.id
