def draw(result, figure):
    pass
