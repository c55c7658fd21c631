/** The version of this program; equal to package.json's (the tidy test compares them). */
export const VERSION = "0.1.0";
