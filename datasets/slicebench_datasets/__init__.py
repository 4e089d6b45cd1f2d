"""Built-in dataset adapters, one file each; files that begin with an underscore are shared by several of them."""
