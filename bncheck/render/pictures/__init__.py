"""What the pictures show; as_picture.py loads the library that draws them."""
