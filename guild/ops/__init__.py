"""What can be run here?"""
