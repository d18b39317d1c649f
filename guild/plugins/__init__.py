"""Which operations and executors come built in?"""
