"""How does an operation become an ended process?"""
