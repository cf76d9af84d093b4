using System.Globalization;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Retention;

namespace BackupDr.Web.Policies;

/// <summary>How a point in the picture of retention is.</summary>
public enum MapMark
{
    /// <summary>Kept.</summary>
    Kept,
    /// <summary>Kept only by the rules after the change.</summary>
    Gained,
    /// <summary>Kept only by the rules before the change.</summary>
    Lost,
    /// <summary>In the trash.</summary>
    Trash,
}

/// <summary>A point as the picture shows it.</summary>
/// <param name="At">When it is received.</param>
/// <param name="Letter">The longest rule that keeps it.</param>
/// <param name="Mark">How it is.</param>
/// <param name="Words">"kept by daily, goes 14 Jan 2027".</param>
/// <param name="Link">Its page; null where it is only pictured.</param>
public sealed record MapPoint(DateTimeOffset At, char Letter, MapMark Mark, string Words, string? Link = null);

/// <summary>A day in the picture, or a month in its older part.</summary>
/// <param name="Name">"Mon 14 Jan 2027", or "January 2027".</param>
/// <param name="Points">Its points, newest first.</param>
public sealed record MapCell(string Name, IReadOnlyList<MapPoint> Points);

/// <summary>Lays the points of a retention out: a dot for each of the last 90 days, a bar for each month before.</summary>
public sealed class RetentionPicture
{
    /// <summary>Days with a dot of their own.</summary>
    public const int DotDays = 90;
    const int MostMonths = 24;

    /// <summary>Dots, oldest first; a week is a column, so the first may begin before the points do.</summary>
    public IReadOnlyList<MapCell> Dots { get; }
    /// <summary>Months before the dots that have a point, newest first.</summary>
    public IReadOnlyList<MapCell> Months { get; }
    /// <summary>All points, newest first.</summary>
    public IReadOnlyList<MapPoint> Points { get; }
    /// <summary>Weekday of the first dot, Monday is 0.</summary>
    public int FirstWeekday { get; }

    public RetentionPicture(IReadOnlyList<MapPoint> points, DateTimeOffset now)
    {
        Points = [.. points.OrderByDescending(point => point.At)];
        var today = now.UtcDateTime.Date;
        var first = today.AddDays(1 - DotDays);
        FirstWeekday = ((int)first.DayOfWeek + 6) % 7;
        var byDay = Points.ToLookup(point => point.At.UtcDateTime.Date);
        Dots = [.. Enumerable.Range(0, DotDays).Select(day => first.AddDays(day)).Select(day => new MapCell(
            day.ToString("ddd d MMM yyyy", CultureInfo.InvariantCulture), [.. byDay[day]]))];
        Months = [.. Points.Where(point => point.At.UtcDateTime.Date < first)
            .GroupBy(point => new DateTime(point.At.UtcDateTime.Year, point.At.UtcDateTime.Month, 1)).Take(MostMonths)
            .Select(month => new MapCell(month.Key.ToString("MMM yyyy", CultureInfo.InvariantCulture), [.. month]))];
    }

    /// <summary>What a policy's preview pictures.</summary>
    public static RetentionPicture Of(RetentionPreview preview, TimeSpan trash, DateTimeOffset now) => new([.. preview.Picture.Select(point
        => new MapPoint(point.At, RetentionWords.Letter(point.Reasons), point.Change switch
        {
            PictureChange.Gained => MapMark.Gained,
            PictureChange.Lost => MapMark.Lost,
            _ => MapMark.Kept,
        }, point.Change == PictureChange.Lost ? "would be lost"
            : $"kept by {RetentionWords.Words(point.Reasons)}{(point.DropsAt is { } drops ? $", goes {Day(drops + trash)}" : "")}"))], now);

    /// <summary>The points that an item has.</summary>
    public static RetentionPicture Of(ItemRetention retention, DateTimeOffset now) => new([.. retention.Points.Select(point
        => new MapPoint(point.ReceivedAt, RetentionWords.Letter(point.Reasons), point.TrashUntil is null ? MapMark.Kept : MapMark.Trash,
            point.Words, $"/points/{point.Id}"))], now);

    /// <summary>The cell's look: of its points the one that says most.</summary>
    public static (MapMark Mark, char Letter)? Look(MapCell cell)
    {
        if (cell.Points.Count == 0) return null;
        var mark = cell.Points.Any(point => point.Mark == MapMark.Lost) && cell.Points.All(point => point.Mark is MapMark.Lost)
            ? MapMark.Lost : cell.Points.Any(point => point.Mark == MapMark.Kept) ? MapMark.Kept : cell.Points[0].Mark;
        const string order = "YMWDH·";
        return (mark, cell.Points.Where(point => point.Mark == mark).MinBy(point => order.IndexOf(point.Letter, StringComparison.Ordinal))!
            .Letter);
    }

    /// <summary>"Mon 14 Jan 2027: 24 points; kept by daily, goes 3 Feb 2027".</summary>
    public static string Title(MapCell cell) => cell.Points.Count switch
    {
        0 => $"{cell.Name}: none is kept",
        1 => $"{cell.Name}: {cell.Points[0].Words}",
        var many => $"{cell.Name}: {many} points; the newest {cell.Points[0].Words}",
    };

    static string Day(DateTimeOffset at) => at.UtcDateTime.ToString("d MMM yyyy", CultureInfo.InvariantCulture);
}
