module passes

go 1.23
