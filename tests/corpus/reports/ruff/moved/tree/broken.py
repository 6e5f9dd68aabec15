

def f(:
