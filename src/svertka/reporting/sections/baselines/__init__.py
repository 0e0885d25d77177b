"""The model beside answers that need no training, or hardly any: where `report --full` has made them."""
