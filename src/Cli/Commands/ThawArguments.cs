using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine.Tiers;

namespace BackupDr.Cli.Commands;

/// <summary>What a command that reads content does about packs in an archive.</summary>
sealed class ThawArguments
{
    readonly Option<bool> _thaw = new("--thaw")
    {
        Description = "Ask for the thaw of archived packs that are needed. Without it they end the command with what one would take.",
    };
    readonly Option<int> _days = new("--thaw-days")
    {
        Description = "Days that they stay readable at least. Azure moves them to Hot for good.",
        DefaultValueFactory = _ => 7,
    };
    readonly Option<string> _wait = new("--thaw-wait")
    {
        Description = "Wait up to so long for the thaw, for example 24h, and go on. Else exit code 20: run it again later.",
        DefaultValueFactory = _ => "0",
    };
    readonly Option<string?> _price = new("--thaw-price")
    {
        Description = "Dollars that your provider takes for a GiB, for the estimate; else a list price.",
    };

    public ThawArguments(Command command)
    {
        command.Options.Add(_thaw);
        command.Options.Add(_days);
        command.Options.Add(_wait);
        command.Options.Add(_price);
    }

    /// <summary>What the options ask for.</summary>
    /// <exception cref="BadInputException">One cannot be used.</exception>
    public ThawRequest Request(ParseResult given, Output output)
    {
        var days = given.GetValue(_days);
        if (days is < 1 or > 3_650) throw new BadInputException("--thaw-days", $"{days} days are no time.", "Write 1 to 3650.");
        var patience = Sizes.ParseTime(given.GetValue(_wait)!, "--thaw-wait");
        if (patience > TimeSpan.Zero && !given.GetValue(_thaw))
            throw new BadInputException("--thaw-wait", "Without --thaw there is nothing to wait for.", "Add --thaw.");
        return new ThawRequest
        {
            Thaws = given.GetValue(_thaw),
            Days = days,
            Patience = patience,
            PriceOfGiB = given.GetValue(_price) is { } text ? Price(text) : null,
            Progress = new Told(output),
        };
    }

    static double Price(string text)
        => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var price) ? price
            : throw new BadInputException("--thaw-price", $"'{text}' is no price.", "Write for example 0.01.");

    /// <summary>Says what is waited for, once for each change.</summary>
    sealed class Told(Output output) : IProgress<ArchivedSpace>
    {
        int _packs = -1;

        public void Report(ArchivedSpace value)
        {
            if (_packs == value.Packs) return;
            _packs = value.Packs;
            output.Remark($"Waiting for {value.Words(Output.Size)}.");
        }
    }
}
