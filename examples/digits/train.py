"""Train a small neural network to read handwritten digits; an ordinary script that knows nothing of Guild."""

import argparse
import pickle
import warnings

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learning-rate", type=float, default=0.001, help="Step size of the optimizer")
    parser.add_argument("--hidden-units", type=int, default=32, help="Size of the hidden layer")
    parser.add_argument("--epochs", type=int, default=10, help="Passes over the training data")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the split and of the weights")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    warnings.simplefilter("ignore")
    images, digits = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(images, digits, random_state=args.seed)
    scaler = StandardScaler().fit(x_train)
    x_train, x_test = scaler.transform(x_train), scaler.transform(x_test)
    model = MLPClassifier(
        hidden_layer_sizes=(args.hidden_units,),
        learning_rate_init=args.learning_rate,
        random_state=args.seed,
    )
    for epoch in range(1, args.epochs + 1):
        model.partial_fit(x_train, y_train, classes=range(10))
        print(f"step: {epoch}")
        print(f"loss: {model.loss_:.6f}")
        print(f"accuracy: {model.score(x_test, y_test):.6f}", flush=True)
    with open("model.pkl", "wb") as f:
        pickle.dump((scaler, model), f)
    print("Saved model.pkl")


if __name__ == "__main__":
    main()
