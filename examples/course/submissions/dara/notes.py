# My sketches; the solution is in solution.py.
print("hello")
