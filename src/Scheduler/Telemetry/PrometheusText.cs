using System.Globalization;
using System.Text;

namespace BackupDr.Scheduler.Telemetry;

/// <summary>Kinds of families.</summary>
public enum MetricKind
{
    /// <summary>Goes up and down.</summary>
    Gauge,
    /// <summary>Only grows while the node runs.</summary>
    Counter,
}

/// <summary>A family of metrics.</summary>
/// <param name="Name">With its unit.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Help">One sentence.</param>
/// <param name="Values">One for each set of labels.</param>
public sealed record MetricFamily(string Name, MetricKind Kind, string Help, List<MetricValue> Values);

/// <summary>One value of a family.</summary>
/// <param name="Value">The number.</param>
/// <param name="Labels">Names and values.</param>
public sealed record MetricValue(double Value, IReadOnlyList<(string Name, string Value)> Labels);

/// <summary>Writes metrics as Prometheus reads them: text format 0.0.4.</summary>
/// <remarks>Source: the exposition format in Prometheus' documentation. Families come in the order in which they are begun; a label's value
/// has backslash, quote and line feed escaped.</remarks>
public sealed class PrometheusText
{
    /// <summary>The content type of the text.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    readonly StringBuilder _text = new();
    readonly List<MetricFamily> _families = [];
    string _family = "";

    /// <summary>What was written, for who does not read text.</summary>
    public IReadOnlyList<MetricFamily> Families => _families;

    /// <summary>Begins a family.</summary>
    /// <param name="name">With its unit: "backupdr_queue_oldest_seconds", and "_total" at the end of a counter's.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="help">One sentence.</param>
    public PrometheusText Family(string name, MetricKind kind, string help)
    {
        _family = name;
        _families.Add(new MetricFamily(name, kind, help, []));
        _text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n",
            "\\n", StringComparison.Ordinal)}\n# TYPE {name} {(kind == MetricKind.Counter ? "counter" : "gauge")}\n");
        return this;
    }

    /// <summary>One value of the family.</summary>
    /// <param name="value">The number.</param>
    /// <param name="labels">Names and values.</param>
    public PrometheusText Value(double value, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        _families[^1].Values.Add(new MetricValue(value, labels.ToArray()));
        _text.Append(_family);
        for (var at = 0; at < labels.Length; at++)
            _text.Append(at == 0 ? '{' : ',').Append(labels[at].Name).Append("=\"").Append(Escaped(labels[at].Value)).Append('"');
        if (labels.Length > 0) _text.Append('}');
        _text.Append(' ').Append(Number(value)).Append('\n');
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => _text.ToString();

    static string Escaped(string value) => value.Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    static string Number(double value) => value switch
    {
        double.NaN => "NaN",
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };
}
