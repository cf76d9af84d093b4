using System.Globalization;

namespace BackupDr.Components;

/// <summary>An operation that stages are part of.</summary>
[Flags]
enum Operations { None = 0, Backup = 1, Restore = 2, Check = 4 }

/// <summary>Collects stages and prints them as a markdown table, as they come.</summary>
sealed class StageTable
{
    const double TooFastToSay = 1e12;   // a stage that does not look at the bytes
    static readonly Operations[] Each = [Operations.Backup, Operations.Restore, Operations.Check];
    readonly double[] _sums = new double[Each.Length];

    public StageTable()
    {
        Console.WriteLine("| stage | on | per CPU second | first backup, CPU s | restore, CPU s | check, CPU s |");
        Console.WriteLine("|---|---|--:|--:|--:|--:|");
    }

    /// <summary>A stage that works on bytes.</summary>
    /// <param name="stage">Its name.</param>
    /// <param name="on">What data.</param>
    /// <param name="bytes">Bytes of one pass.</param>
    /// <param name="seconds">CPU seconds of one pass.</param>
    /// <param name="part">Operations on the mixed files that do just this pass.</param>
    /// <param name="remark">Behind the rate.</param>
    public void Add(string stage, string on, long bytes, double seconds, Operations part = Operations.None, string remark = "")
        => Row(stage, on, (bytes / seconds > TooFastToSay ? "> 1 TB" : Text($"{bytes / seconds / 1e9:0.00} GB")) + remark, seconds, part);

    /// <summary>A stage that works on things.</summary>
    public void Count(string stage, string on, long things, double seconds)
        => Row(stage, on, Text($"{things / seconds / 1e6:0.00} million"), seconds, Operations.None);

    /// <summary>The last rows: what the stages explain of what the operations cost.</summary>
    /// <param name="sourceBytes">Bytes of the files.</param>
    /// <param name="seconds">CPU seconds of backup, restore and check.</param>
    public void Finish(long sourceBytes, IReadOnlyList<double> seconds)
    {
        Row("**these stages**", "mixed", "", [.. _sums.Select(sum => Text($"{sum:0.00}"))]);
        Row("**the whole operation**", "mixed", "", [.. seconds.Select(whole => Text($"{whole:0.00}"))]);
        Row("**stages explain**", "mixed", "", [.. seconds.Zip(_sums, (whole, sum) => Text($"{100 * sum / whole:0} %"))]);
        Row("**MiB of files per CPU second**", "mixed", "", [.. seconds.Select(whole => Text($"{sourceBytes / 1048576.0 / whole:0}"))]);
    }

    void Row(string stage, string on, string rate, double seconds, Operations part)
    {
        var cells = new string[Each.Length];
        for (var i = 0; i < Each.Length; i++)
        {
            var isPart = part.HasFlag(Each[i]);
            cells[i] = isPart ? Text($"{seconds:0.000}") : "";
            if (isPart) _sums[i] += seconds;
        }
        Row(stage, on, rate, cells);
    }

    static void Row(string stage, string on, string rate, IReadOnlyList<string> cells)
        => Console.WriteLine($"| {stage} | {on} | {rate} | {string.Join(" | ", cells)} |");

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
