using System.Diagnostics.Metrics;
using System.Reflection;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Cluster;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace BackupDr.Scheduler.Telemetry;

/// <summary>Sends traces of runs, the metrics of <see cref="ShowMetrics"/> and this process, and the node's log to a collector. What cannot
/// be sent is dropped after a bounded queue: telemetry holds nothing up.</summary>
public sealed class OtlpExport : BackgroundService
{
    static readonly TimeSpan SendPatience = TimeSpan.FromSeconds(5);

    readonly OtlpOptions _options;
    readonly ShowMetrics _show;
    readonly NodeLoops _loops;
    readonly Meter _meter = new($"{RunTelemetry.Name}.Fleet");
    readonly HashSet<string> _made = new(StringComparer.Ordinal);
    readonly TracerProvider _traces;
    readonly MeterProvider _metrics;
    volatile IReadOnlyDictionary<string, List<Measurement<double>>> _values = new Dictionary<string, List<Measurement<double>>>();

    public OtlpExport(NodeSettings settings, ShowMetrics show, NodeLoops loops)
    {
        (_options, _show, _loops) = (settings.Telemetry.Otlp, show, loops);
        var traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(Resource(settings)).AddSource(RunTelemetry.Name);
        if (_options.Requests) traces.AddSource("Microsoft.AspNetCore", "Npgsql");
        _traces = traces.AddOtlpExporter(exporter => To(exporter, _options, "traces")).Build();
        _metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(Resource(settings))
            .AddMeter(RunTelemetry.Name, _meter.Name, "Microsoft.AspNetCore.Hosting", "System.Runtime", "Npgsql")
            .AddOtlpExporter((exporter, reader) =>
            {
                To(exporter, _options, "metrics");
                reader.PeriodicExportingMetricReaderOptions.ExportIntervalMilliseconds = _options.MetricSeconds * 1000;
            }).Build();
    }

    /// <summary>Adds it to a node, where the settings name a collector.</summary>
    internal static void Add(WebApplicationBuilder builder, NodeSettings settings)
    {
        if (!settings.Telemetry.Otlp.IsOn) return;
        builder.Services.AddHostedService<OtlpExport>();
        builder.Logging.AddOpenTelemetry(logs =>
        {
            logs.IncludeFormattedMessage = true;
            logs.SetResourceBuilder(Resource(settings)).AddOtlpExporter(exporter => To(exporter, settings.Telemetry.Otlp, "logs"));
        });
    }

    static void To(OtlpExporterOptions exporter, OtlpOptions options, string signal)
    {
        exporter.Protocol = OtlpExportProtocol.HttpProtobuf;
        exporter.Endpoint = options.To(signal);
        exporter.TimeoutMilliseconds = (int)SendPatience.TotalMilliseconds;
    }

    static ResourceBuilder Resource(NodeSettings settings) => ResourceBuilder.CreateDefault().AddService("backupdr-node",
        serviceVersion: typeof(OtlpExport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion,
        serviceInstanceId: settings.Node.NameOrMachine);

    /// <inheritdoc/>
    protected override Task ExecuteAsync(CancellationToken stoppingToken)
        => _loops.Every(TimeSpan.FromSeconds(_options.MetricSeconds), Read, stoppingToken, alsoSuperseded: true);

    async Task<int> Read(CancellationToken ct)
    {
        IReadOnlyList<MetricFamily> families = [];
        try { families = await _show.Read(Caller.System("telemetry"), ct); }
        finally { Keep(families); }   // what was read before is not told again as if it were of now
        return families.Count;
    }

    /// <summary>Keeps what was read for the next time that metrics are sent, under the names that Prometheus reads.</summary>
    void Keep(IReadOnlyList<MetricFamily> families)
    {
        _values = families.ToDictionary(family => family.Name, family => family.Values.ConvertAll(one => new Measurement<double>(one.Value,
            one.Labels.Select(label => new KeyValuePair<string, object?>(label.Name, label.Value)))));
        foreach (var family in families.Where(family => _made.Add(family.Name)))
        {
            if (family.Kind == MetricKind.Counter) _meter.CreateObservableCounter<double>(family.Name, Values, description: family.Help);
            else _meter.CreateObservableGauge<double>(family.Name, Values, description: family.Help);

            IEnumerable<Measurement<double>> Values() => _values.GetValueOrDefault(family.Name) ?? [];
        }
    }

    /// <summary>Sends what is left, for a moment.</summary>
    public override void Dispose()
    {
        _traces.Dispose();
        _metrics.Dispose();
        _meter.Dispose();
        base.Dispose();
    }
}
