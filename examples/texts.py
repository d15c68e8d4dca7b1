"""A text classifier of scikit-learn teaches a small network, which then reads texts without scikit-learn.

The texts are docstrings of Python's standard library, labelled by topic. Needs distillab[text].
"""

from distillab import distill, read_data
import keras
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tokenizers import Tokenizer

data = read_data("stdlib_docs")
texts = [data.text.train[row] for row in data.training]  # those for validation and testing stay unseen
topics = [data.class_names[data.y_train[row]] for row in data.training]
teacher = make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=2), LogisticRegression(C=5, max_iter=1000))
teacher.fit(texts, topics)

settings = {"alpha": 0.9, "temperature": 10.0, "learning_rate": 0.008, "epochs": 10, "seeds": 2}
result = distill(teacher, "bag-of-embeddings-32", data, "texts", **settings)
print(result.summary())

tokenizer = Tokenizer.from_file("texts/tokenizer.json")
student = keras.models.load_model("texts/student.keras")
for text in ("Send a message to an SMTP server.", "Start a thread and wait for it.", "Round a decimal number."):
    logits = student(np.array([tokenizer.encode(text).ids]))
    print(f"{data.class_names[int(np.argmax(logits))]}: {text}")
