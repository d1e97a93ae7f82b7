"""dlcourse"""
