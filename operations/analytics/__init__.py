"""Who uses the instance and how, told without telling who."""
