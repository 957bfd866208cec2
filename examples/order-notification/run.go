package main

import (
	"cmp"
	"context"

	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/shop"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// runPart runs one service until a signal or an error ends it. Its spans go
// where the OTEL_* variables say, its log to standard error.
func runPart(ctx context.Context, cfg config.Config, part shop.Part) error {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return err //nolint:wrapcheck // It names the variable.
	}
	services, err := shop.Start(ctx, shop.Config{
		AMQPURL:    cfg.AMQPURL,
		Redis:      cfg.Redis,
		Prefix:     cfg.Prefix,
		HTTPAddr:   cmp.Or(cfg.HTTPAddr, listenAddrs[part]),
		PaymentURL: cfg.PaymentURL,
		Telemetry:  telemetry.Config{Version: version},

		EmailRetryDelay: cfg.EmailRetryDelay,
	}, part)
	if err != nil {
		return err //nolint:wrapcheck // It names the service.
	}
	return services.Run(ctx) //nolint:wrapcheck // It names the service.
}
