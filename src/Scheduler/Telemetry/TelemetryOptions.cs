namespace BackupDr.Scheduler.Telemetry;

/// <summary>What the node tells a monitoring system by itself.</summary>
public sealed record TelemetryOptions
{
    public OtlpOptions Otlp { get; init; } = new();
}

/// <summary>OpenTelemetry's protocol, OTLP, as protobuf over HTTP.</summary>
public sealed record OtlpOptions : IChecked
{
    const int LeastSeconds = 1, MostSeconds = 3600;

    /// <summary>Address of a collector; traces, metrics and logs go to v1/traces, v1/metrics and v1/logs below it. Empty: nothing is
    /// sent.</summary>
    public string Endpoint { get; init; } = "";

    /// <summary>How often metrics are sent.</summary>
    public int MetricSeconds { get; init; } = 60;

    /// <summary>Whether each request to this node and each statement of its database has a trace, beside those of the runs.</summary>
    public bool Requests { get; init; }

    /// <summary>Whether anything is sent.</summary>
    internal bool IsOn => Endpoint.Length > 0;

    /// <summary>Where one kind of signal goes.</summary>
    /// <param name="signal">"traces", "metrics" or "logs".</param>
    internal Uri To(string signal) => new($"{Endpoint.TrimEnd('/')}/v1/{signal}");

    public IEnumerable<string> Problems()
    {
        if (IsOn && (!Uri.TryCreate(Endpoint, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")
            || uri.Query.Length > 0 || uri.Fragment.Length > 0 || uri.UserInfo.Length > 0))
            yield return $"Telemetry:Otlp:Endpoint is '{Endpoint}'; it must be the http:// or https:// address of a collector, for example "
                + "http://127.0.0.1:4318.";
        if (MetricSeconds is < LeastSeconds or > MostSeconds)
            yield return $"Telemetry:Otlp:MetricSeconds is {MetricSeconds}; it must be between {LeastSeconds} and {MostSeconds}.";
    }
}
